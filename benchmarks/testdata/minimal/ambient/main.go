package main

import (
	"context"
	"fmt"

	"github.com/ambient-scribe/ambient-go"
)

func main() {
	client, err := ambient.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	t, err := client.Transcriptions.Get(context.Background(), 7)
	fmt.Println(t, err)
}
