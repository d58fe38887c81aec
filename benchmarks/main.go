package main

import (
	"flag"
	"fmt"
	"testing"
)

func main() {
	testing.Init()
	child := flag.String("child", "", "")
	childURL := flag.String("child-url", "", "")
	childFile := flag.String("child-file", "", "")
	flag.Parse()
	if *child != "" {
		if err := beChild(*child, *childURL, *childFile); err != nil {
			panic(err)
		}
		return
	}
	r, err := measureUploads(uploaders(), 2)
	fmt.Println(err)
	for _, x := range r {
		fmt.Println(x.name, x.plain, x.after503)
	}
}
