package ambient

import "time"

// Each documented status has a type. All methods may be called on nil.

// RateLimitError is status 429. It is also the error of a call that could not wait
// for a known rate limit, since the wait would pass the context's deadline or
// RetryPolicy.MaxLimitWait. Attempts is empty if such a call sent nothing. If the
// deadline was the reason, errors.Is finds context.DeadlineExceeded.
type RateLimitError struct {
	*APIError
	ResetAt   time.Time // when the limit resets; zero when unknown
	Limit     int64     // requests per window; -1 when unknown
	Remaining int64     // requests left in the window; -1 when unknown
}

// BadRequestError is status 400. The request is malformed.
type BadRequestError struct{ *APIError }

// UnauthorizedError is status 401. A call has it if the server refuses a second,
// new token as well. The token call has it if the user name or password is wrong, or
// if the account is inactive or has no API access.
type UnauthorizedError struct{ *APIError }

// ForbiddenError is status 403. The account may not do this.
type ForbiddenError struct{ *APIError }

// NotFoundError is status 404. The account has no such job. If the token call has
// this status, the base URL is wrong.
type NotFoundError struct{ *APIError }

// ConflictError is status 409. The request contradicts what exists already, for
// example by creating it a second time.
type ConflictError struct{ *APIError }

// ValidationError is status 422. A field is missing or invalid. Fields says which.
// Fields is empty if the server answered with a text, which is then in Detail.
type ValidationError struct{ *APIError }

// InternalServerError is status 500. The service failed.
type InternalServerError struct{ *APIError }

// BadGatewayError is status 502. A gateway got no valid answer from the service.
type BadGatewayError struct{ *APIError }

// ServiceUnavailableError is status 503. The service takes no requests at the
// moment.
type ServiceUnavailableError struct{ *APIError }

// GatewayTimeoutError is status 504. A gateway got no answer from the service in
// time.
type GatewayTimeoutError struct{ *APIError }

// typed gives an error the type of its status.
func (e *APIError) typed() error {
	switch e.StatusCode {
	case 400:
		return &BadRequestError{e}
	case 401:
		return &UnauthorizedError{e}
	case 403:
		return &ForbiddenError{e}
	case 404:
		return &NotFoundError{e}
	case 409:
		return &ConflictError{e}
	case 422:
		return &ValidationError{e}
	case 500:
		return &InternalServerError{e}
	case 502:
		return &BadGatewayError{e}
	case 503:
		return &ServiceUnavailableError{e}
	case 504:
		return &GatewayTimeoutError{e}
	}
	return e
}

// apiOf returns the APIError in an error of a type above, nil for nil. An error that a
// caller made without one has at least the status of its type.
func apiOf[E ~struct{ *APIError }](e *E, status int) *APIError {
	if e == nil {
		return nil
	}
	return struct{ *APIError }(*e).APIError.orStatus(status)
}

func (e *RateLimitError) api() *APIError {
	if e == nil {
		return nil
	}
	return e.APIError.orStatus(429)
}

func (e *APIError) orStatus(status int) *APIError {
	switch {
	case e == nil:
		return &APIError{StatusCode: status}
	case e.StatusCode == 0:
		withStatus := *e
		withStatus.StatusCode = status
		return &withStatus
	}
	return e
}

// A method promoted from APIError would panic on nil.

func (e *RateLimitError) Error() string          { return e.api().Error() }
func (e *BadRequestError) Error() string         { return apiOf(e, 400).Error() }
func (e *UnauthorizedError) Error() string       { return apiOf(e, 401).Error() }
func (e *ForbiddenError) Error() string          { return apiOf(e, 403).Error() }
func (e *NotFoundError) Error() string           { return apiOf(e, 404).Error() }
func (e *ConflictError) Error() string           { return apiOf(e, 409).Error() }
func (e *ValidationError) Error() string         { return apiOf(e, 422).Error() }
func (e *InternalServerError) Error() string     { return apiOf(e, 500).Error() }
func (e *BadGatewayError) Error() string         { return apiOf(e, 502).Error() }
func (e *ServiceUnavailableError) Error() string { return apiOf(e, 503).Error() }
func (e *GatewayTimeoutError) Error() string     { return apiOf(e, 504).Error() }

func (e *RateLimitError) Unwrap() error          { return e.api().asError() }
func (e *BadRequestError) Unwrap() error         { return apiOf(e, 400).asError() }
func (e *UnauthorizedError) Unwrap() error       { return apiOf(e, 401).asError() }
func (e *ForbiddenError) Unwrap() error          { return apiOf(e, 403).asError() }
func (e *NotFoundError) Unwrap() error           { return apiOf(e, 404).asError() }
func (e *ConflictError) Unwrap() error           { return apiOf(e, 409).asError() }
func (e *ValidationError) Unwrap() error         { return apiOf(e, 422).asError() }
func (e *InternalServerError) Unwrap() error     { return apiOf(e, 500).asError() }
func (e *BadGatewayError) Unwrap() error         { return apiOf(e, 502).asError() }
func (e *ServiceUnavailableError) Unwrap() error { return apiOf(e, 503).asError() }
func (e *GatewayTimeoutError) Unwrap() error     { return apiOf(e, 504).asError() }

func (e *RateLimitError) Body() []byte          { return e.api().Body() }
func (e *BadRequestError) Body() []byte         { return apiOf(e, 400).Body() }
func (e *UnauthorizedError) Body() []byte       { return apiOf(e, 401).Body() }
func (e *ForbiddenError) Body() []byte          { return apiOf(e, 403).Body() }
func (e *NotFoundError) Body() []byte           { return apiOf(e, 404).Body() }
func (e *ConflictError) Body() []byte           { return apiOf(e, 409).Body() }
func (e *ValidationError) Body() []byte         { return apiOf(e, 422).Body() }
func (e *InternalServerError) Body() []byte     { return apiOf(e, 500).Body() }
func (e *BadGatewayError) Body() []byte         { return apiOf(e, 502).Body() }
func (e *ServiceUnavailableError) Body() []byte { return apiOf(e, 503).Body() }
func (e *GatewayTimeoutError) Body() []byte     { return apiOf(e, 504).Body() }
