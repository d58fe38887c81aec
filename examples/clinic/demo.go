package main

import "crypto/rand"

// demoPassword is short enough to be typed.
func demoPassword() string { return rand.Text()[:10] }
