package ambient_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Width and flags are honoured.
func TestFormatting(t *testing.T) {
	_, err := failingClient(t, errors.New("down")).Transcriptions.Get(context.Background(), 7)
	text := err.Error()
	assert.Equal(t, text, fmt.Sprintf("%v", err))
	assert.Equal(t, text, fmt.Sprintf("%+v", err))
	assert.Equal(t, text, fmt.Sprintf("%d", err))
	assert.Equal(t, strconv.Quote(text), fmt.Sprintf("%q", err))
	assert.Equal(t, strconv.Quote(text), fmt.Sprintf("%#v", err))
	assert.Equal(t, fmt.Sprintf("%x", text), fmt.Sprintf("%x", err))
	assert.Equal(t, fmt.Sprintf("%200s|%-200s|", text, text), fmt.Sprintf("%200v|%-200v|", err, err))
}
