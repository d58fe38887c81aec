package ambient

import (
	"fmt"
	"time"
)

// One type per documented status. All methods may be called on nil.

// apiOf is the APIError in an error of one of the types below, nil for nil.
func apiOf[E ~struct{ *APIError }](e *E) *APIError {
	if e == nil {
		return nil
	}
	return struct{ *APIError }(*e).APIError
}

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

// RateLimitError is status 429, or a rate limit already known that the call
// could not wait for: it would outlast the context's deadline (the error is
// then a context.DeadlineExceeded) or RetryPolicy.MaxLimitWait. Where nothing
// was sent it has no Attempts.
type RateLimitError struct {
	*APIError
	ResetAt   time.Time // when the limit resets; zero when unknown
	Limit     int64     // requests per window; -1 when unknown
	Remaining int64     // requests left in the window; -1 when unknown
}

func (e *RateLimitError) Error() string                 { return e.api().Error() }
func (e *RateLimitError) Unwrap() error                 { return e.api().asError() }
func (e *RateLimitError) Body() []byte                  { return e.api().Body() }
func (e *RateLimitError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *RateLimitError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }
func (e *RateLimitError) api() *APIError {
	if e == nil {
		return nil
	}
	return e.APIError
}

// BadRequestError is status 400: the request is malformed.
type BadRequestError struct{ *APIError }

func (e *BadRequestError) Error() string                 { return apiOf(e).Error() }
func (e *BadRequestError) Unwrap() error                 { return apiOf(e).asError() }
func (e *BadRequestError) Body() []byte                  { return apiOf(e).Body() }
func (e *BadRequestError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *BadRequestError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// UnauthorizedError is status 401: the token was refused, also after it was
// renewed once; or, of the token call, the user name or password is wrong, the
// account is inactive or has no API access.
type UnauthorizedError struct{ *APIError }

func (e *UnauthorizedError) Error() string                 { return apiOf(e).Error() }
func (e *UnauthorizedError) Unwrap() error                 { return apiOf(e).asError() }
func (e *UnauthorizedError) Body() []byte                  { return apiOf(e).Body() }
func (e *UnauthorizedError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *UnauthorizedError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// ForbiddenError is status 403: the account may not do this.
type ForbiddenError struct{ *APIError }

func (e *ForbiddenError) Error() string                 { return apiOf(e).Error() }
func (e *ForbiddenError) Unwrap() error                 { return apiOf(e).asError() }
func (e *ForbiddenError) Body() []byte                  { return apiOf(e).Body() }
func (e *ForbiddenError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ForbiddenError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// NotFoundError is status 404: no such job, or not one of this account. Of the
// token call it says that the base URL is wrong.
type NotFoundError struct{ *APIError }

func (e *NotFoundError) Error() string                 { return apiOf(e).Error() }
func (e *NotFoundError) Unwrap() error                 { return apiOf(e).asError() }
func (e *NotFoundError) Body() []byte                  { return apiOf(e).Body() }
func (e *NotFoundError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *NotFoundError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// ConflictError is status 409: the request contradicts what exists, e.g. a
// duplicate creation.
type ConflictError struct{ *APIError }

func (e *ConflictError) Error() string                 { return apiOf(e).Error() }
func (e *ConflictError) Unwrap() error                 { return apiOf(e).asError() }
func (e *ConflictError) Body() []byte                  { return apiOf(e).Body() }
func (e *ConflictError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ConflictError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// ValidationError is status 422: a field is missing or invalid. Fields says
// which, and is empty where the server answered with a text, which is in Detail.
type ValidationError struct{ *APIError }

func (e *ValidationError) Error() string                 { return apiOf(e).Error() }
func (e *ValidationError) Unwrap() error                 { return apiOf(e).asError() }
func (e *ValidationError) Body() []byte                  { return apiOf(e).Body() }
func (e *ValidationError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ValidationError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// InternalServerError is status 500: the service failed.
type InternalServerError struct{ *APIError }

func (e *InternalServerError) Error() string                 { return apiOf(e).Error() }
func (e *InternalServerError) Unwrap() error                 { return apiOf(e).asError() }
func (e *InternalServerError) Body() []byte                  { return apiOf(e).Body() }
func (e *InternalServerError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *InternalServerError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// BadGatewayError is status 502: a gateway had no valid answer from the
// service.
type BadGatewayError struct{ *APIError }

func (e *BadGatewayError) Error() string                 { return apiOf(e).Error() }
func (e *BadGatewayError) Unwrap() error                 { return apiOf(e).asError() }
func (e *BadGatewayError) Body() []byte                  { return apiOf(e).Body() }
func (e *BadGatewayError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *BadGatewayError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// ServiceUnavailableError is status 503: the service takes no requests at the
// moment.
type ServiceUnavailableError struct{ *APIError }

func (e *ServiceUnavailableError) Error() string                 { return apiOf(e).Error() }
func (e *ServiceUnavailableError) Unwrap() error                 { return apiOf(e).asError() }
func (e *ServiceUnavailableError) Body() []byte                  { return apiOf(e).Body() }
func (e *ServiceUnavailableError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *ServiceUnavailableError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }

// GatewayTimeoutError is status 504: a gateway had no answer from the service
// in time.
type GatewayTimeoutError struct{ *APIError }

func (e *GatewayTimeoutError) Error() string                 { return apiOf(e).Error() }
func (e *GatewayTimeoutError) Unwrap() error                 { return apiOf(e).asError() }
func (e *GatewayTimeoutError) Body() []byte                  { return apiOf(e).Body() }
func (e *GatewayTimeoutError) Format(s fmt.State, verb rune) { formatText(s, verb, e.Error()) }
func (e *GatewayTimeoutError) MarshalText() ([]byte, error)  { return []byte(e.Error()), nil }
