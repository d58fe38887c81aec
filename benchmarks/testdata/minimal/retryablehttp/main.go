package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

func main() {
	req, err := retryablehttp.NewRequestWithContext(context.Background(), http.MethodGet, "https://service.example/transcribe/7", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := retryablehttp.NewClient().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var job map[string]any
	err = json.NewDecoder(resp.Body).Decode(&job)
	fmt.Println(job, err)
}
