package main

import (
	"context"
	"fmt"

	"github.com/google/go-github/v93/github"
)

func main() {
	client, err := github.NewClient()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, _, err := client.Users.Get(context.Background(), "synthetic")
	fmt.Println(user, err)
}
