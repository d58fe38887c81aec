package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func main() {
	stack := middleware.NewStack("Get", smithyhttp.NewStackRequest)
	_ = stack.Serialize.Add(middleware.SerializeMiddlewareFunc("Serialize", serialize), middleware.After)
	_ = stack.Finalize.Add(retry.NewAttemptMiddleware(retry.NewStandard(), smithyhttp.RequestCloner), middleware.After)
	_ = stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Deserialize", deserialize), middleware.After)
	client := smithyhttp.NewClientHandlerWithOptions(awshttp.NewBuildableClient())
	job, _, err := middleware.DecorateHandler(client, stack).Handle(context.Background(), nil)
	fmt.Println(job, err)
}

func serialize(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (
	out middleware.SerializeOutput, metadata middleware.Metadata, err error,
) {
	req := in.Request.(*smithyhttp.Request)
	req.Method = http.MethodGet
	if req.URL, err = url.Parse("https://service.example/transcribe/7"); err != nil {
		return out, metadata, err
	}
	return next.HandleSerialize(ctx, in)
}

func deserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	out middleware.DeserializeOutput, metadata middleware.Metadata, err error,
) {
	out, metadata, err = next.HandleDeserialize(ctx, in)
	if err != nil {
		return out, metadata, err
	}
	resp := out.RawResponse.(*smithyhttp.Response)
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return out, metadata, &smithyhttp.ResponseError{Response: resp, Err: fmt.Errorf("status %d", resp.StatusCode)}
	}
	var job map[string]any
	err = json.NewDecoder(resp.Body).Decode(&job)
	out.Result = job
	return out, metadata, err
}
