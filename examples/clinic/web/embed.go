// Package web is the page of the clinic: plain HTML, CSS and JavaScript modules, without a framework or a build step.
package web

import "embed"

// Page holds index.html and what it loads.
//
//go:embed *.html *.css *.js *.svg
var Page embed.FS
