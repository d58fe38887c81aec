package main

import (
	"flag"
	"fmt"
	"testing"
)

func main() {
	testing.Init()
	flag.Parse()
	r, err := measureAllocs(getters(), 1)
	fmt.Println(err)
	for _, x := range r {
		fmt.Println(x.name, x.allocs, x.bytes, x.nanos)
	}
}
