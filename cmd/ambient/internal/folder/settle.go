package folder

import "time"

// A Settler finds the recordings that have not changed for a while.
type Settler struct {
	For  time.Duration
	seen map[string]sighting
}

type sighting struct {
	Recording
	since time.Time
}

// Settled returns the recordings of a listing that have been as they are for the
// whole time, as far as this Settler saw. The time of a file's last change is not
// enough, since programs that copy files set it to that of the original.
func (s *Settler) Settled(l Listing, now time.Time) []Recording {
	var settled []Recording
	seen := make(map[string]sighting, len(l.Recordings))
	for _, r := range l.Recordings {
		last, ok := s.seen[r.Name]
		if !ok || last.Size != r.Size || !last.Modified.Equal(r.Modified) {
			last = sighting{r, now}
		}
		seen[r.Name] = last
		if now.Sub(last.since) >= s.For {
			settled = append(settled, r)
		}
	}
	s.seen = seen
	return settled
}
