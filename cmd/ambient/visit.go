package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// A visit is what the API takes besides a recording.
type visit struct {
	PatientName       string          `json:"patient_name"`
	DateOfService     time.Time       `json:"date_of_service"`
	AdditionalContext json.RawMessage `json:"additional_context"`
}

func addVisitFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "visit", "", "send the patient's data in this JSON `file`: patient_name, date_of_service, additional_context, each optional")
}

// readVisit reads the file of --visit. No flag takes the data itself, since ps and
// the shell's history would show it.
func readVisit(path string) (visit, error) {
	var v visit
	if path == "" {
		return v, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return v, failuref(exitOther, "the file of --visit cannot be read: %s", reason(err))
	}
	if err := v.decode(b); err != nil {
		return v, failuref(exitOther, "the file of --visit %v", err)
	}
	return v, nil
}

// decode reads a visit. Its error says nothing of what is in it.
func (v *visit) decode(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("must be a JSON object with no other fields than patient_name, date_of_service (as 2025-11-06T14:05:00Z) and additional_context")
	}
	return nil
}

// context is the additional context, or nil without one.
func (v *visit) context() any {
	if len(v.AdditionalContext) == 0 || string(v.AdditionalContext) == "null" {
		return nil
	}
	return v.AdditionalContext
}
