package form

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ambient-scribe/ambient-go/internal/readbody"
)

// chunks reads in the sizes that a fuzzer chose.
type chunks struct {
	r     io.Reader
	sizes []byte
	next  int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.sizes) > 0 {
		size := int(c.sizes[c.next%len(c.sizes)])
		c.next++
		p = p[:min(size, len(p))]
		if size == 0 {
			return 0, nil
		}
	}
	return c.r.Read(p)
}

// progress keeps sizes from giving nothing for so long that it counts as an
// error.
func progress(sizes []byte) []byte {
	if len(sizes) > readbody.MaxEmpty/2 {
		sizes = sizes[:readbody.MaxEmpty/2]
	}
	if len(bytes.Trim(sizes, "\x00")) == 0 {
		return nil
	}
	return sizes
}

// FuzzReader: whatever the sizes of reads on either side, the body is framing
// and content, byte for byte, of the length that was announced.
func FuzzReader(f *testing.F) {
	f.Add("Alex Example", []byte("RIFF....WAVE"), []byte("\xff\xfb"), []byte{1, 3, 200}, []byte{7})
	f.Add("", []byte{}, []byte("\r\n--"), []byte{0, 1}, []byte{1})
	f.Fuzz(func(t *testing.T, value string, one, two, out, in []byte) {
		in, out = progress(in), progress(out)
		file := func(content []byte) File {
			return File{Field: "audio_files", Filename: "audio.wav", ContentType: "audio/wav", Size: int64(len(content)),
				Open: func() (io.ReadCloser, error) {
					return io.NopCloser(&chunks{r: bytes.NewReader(content), sizes: in}), nil
				}}
		}
		b := New()
		b.Field("patient_name", value)
		b.File(file(one))
		b.File(file(two))
		b.End()
		form := b

		reader := form.Open()
		body, err := io.ReadAll(&chunks{r: reader, sizes: out})
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		require.EqualValues(t, form.Len(), len(body))

		parts := multipart.NewReader(bytes.NewReader(body), boundaryOf(form))
		for _, want := range []string{value, string(one), string(two)} {
			part, err := parts.NextRawPart()
			require.NoError(t, err)
			got, err := io.ReadAll(part)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		_, err = parts.NextRawPart()
		require.Equal(t, io.EOF, err)
		require.True(t, strings.HasSuffix(string(body), "--\r\n"))
	})
}
