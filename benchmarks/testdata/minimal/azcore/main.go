package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

func main() {
	req, err := runtime.NewRequest(context.Background(), http.MethodGet, "https://service.example/transcribe/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := runtime.NewPipeline("minimal", "v1.0.0", runtime.PipelineOptions{}, nil).Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	var job map[string]any
	err = runtime.UnmarshalAsJSON(resp, &job)
	fmt.Println(job, err)
}
