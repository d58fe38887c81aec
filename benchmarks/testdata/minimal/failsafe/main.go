package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
)

func main() {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://service.example/transcribe/7", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	policy := failsafehttp.NewRetryPolicyBuilder().Build()
	client := &http.Client{Transport: failsafehttp.NewRoundTripper(nil, policy)}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var job map[string]any
	err = json.NewDecoder(resp.Body).Decode(&job)
	fmt.Println(job, err)
}
