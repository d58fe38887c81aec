package main

import (
	"context"
	"fmt"

	"github.com/go-resty/resty/v2"
)

func main() {
	var job map[string]any
	_, err := resty.New().SetRetryCount(3).R().
		SetContext(context.Background()).
		SetResult(&job).
		Get("https://service.example/transcribe/7")
	fmt.Println(job, err)
}
