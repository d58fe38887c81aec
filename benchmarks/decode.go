package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// decode reads the answer of a call made by hand.
func decode(resp *http.Response, v any) error {
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return statusError(resp.StatusCode)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// statusError is the error of a client that leaves the status to its caller.
type statusError int

func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

func isPlainStatus(err error) bool {
	e, ok := errors.AsType[statusError](err)
	return ok && e == http.StatusServiceUnavailable
}
