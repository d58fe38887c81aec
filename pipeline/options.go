package pipeline

import "github.com/ambient-scribe/ambient-go"

// A submit is tried once: what follows is the pipeline's to decide.
func (x *crossing) options() []ambient.CallOption {
	return nil
}

func readOptions() []ambient.CallOption { return nil }
