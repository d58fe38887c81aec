package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	ambient "github.com/ambient-scribe/ambient-go"
)

// settleTime is how long a recording must not have changed.
const settleTime = 2 * time.Second

// recordings checks the recordings that the user named, before any is sent.
func (a *app) recordings(ctx context.Context, paths []string) ([]ambient.Audio, error) {
	audio := make([]ambient.Audio, len(paths))
	for i, path := range paths {
		var err error
		if audio[i], err = a.recording(ctx, path, ordinal("recording", i, len(paths))); err != nil {
			return nil, err
		}
	}
	return audio, nil
}

// recording is the file at path, or stdin for "-". name is what messages call it.
func (a *app) recording(ctx context.Context, path, name string) (ambient.Audio, error) {
	if path == "-" {
		return a.stdinAudio(name)
	}
	before, err := statInput(path, name)
	if err != nil {
		return ambient.Audio{}, err
	}
	if before.Size() == 0 {
		return ambient.Audio{}, failuref(exitOther, "%s is empty: wait until it is written or, if it is a placeholder, until it is on this disk", name)
	}
	if age := time.Since(before.ModTime()); age >= settleTime {
		return ambient.AudioFile(path), nil
	}
	select {
	case <-time.After(settleTime):
	case <-ctx.Done():
		return ambient.Audio{}, ctx.Err()
	}
	after, err := statInput(path, name)
	if err != nil {
		return ambient.Audio{}, err
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return ambient.Audio{}, failuref(exitOther, "%s is still being written: run the command again when it is complete", name)
	}
	return ambient.AudioFile(path), nil
}

// statInput makes sure that a file is one and can be read. name is what messages
// call it.
func statInput(path, name string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failuref(exitOther, "%s does not exist: check the path", name)
	case err != nil:
		return nil, failuref(exitOther, "%s cannot be read: %s", name, reason(err))
	case info.IsDir():
		return nil, failuref(exitOther, "%s is a directory: use ambient batch, or name a file in it", name)
	case !info.Mode().IsRegular():
		return nil, failuref(exitOther, "%s is a pipe or a device: give - and pipe it into stdin", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, failuref(exitOther, "%s cannot be read: %s", name, reason(err))
	}
	f.Close()
	return info, nil
}
