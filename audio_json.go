package ambient

import (
	"encoding/json"
	"errors"
	"fmt"
)

// queuedAudio is the JSON form of the sources that can have one.
type queuedAudio struct {
	Path        string `json:"path,omitempty"`
	Name        string `json:"name,omitempty"`
	Data        []byte `json:"data,omitempty"`
	ContentType string `json:"content_type,omitempty"`
	UploadName  string `json:"upload_name,omitempty"`
}

// MarshalJSON writes an AudioFile as its path and AudioBytes as their content.
// Other sources cannot be marshalled.
func (a Audio) MarshalJSON() ([]byte, error) {
	s := a.source.get()
	switch {
	case s == nil:
		return []byte("null"), nil
	case s.path == "" && s.data == nil:
		return nil, fmt.Errorf("ambient: audio from an %s cannot be marshalled", s.kind)
	}
	q := queuedAudio{Path: s.path, Data: s.data, ContentType: s.contentType, UploadName: s.uploadName}
	if s.path == "" {
		q.Name = s.claim
	}
	return json.Marshal(q)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Audio) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*a = Audio{}
		return nil
	}
	var q queuedAudio
	if err := json.Unmarshal(b, &q); err != nil {
		return errors.New("ambient: not an audio in JSON")
	}
	if q.Path != "" {
		*a = AudioFile(q.Path)
	} else {
		*a = AudioBytes(q.Name, q.Data)
	}
	s := a.source.get()
	s.contentType, s.uploadName = q.ContentType, q.UploadName
	return nil
}
