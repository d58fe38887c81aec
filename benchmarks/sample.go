package main

import (
	"fmt"
	"slices"
	"strconv"
)

// A sample is one figure measured several times.
type sample []float64

func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// text is the median with the spread from the least to the greatest, in brackets
// if there is any at this precision.
func (s sample) text(decimals int) string { return s.textAround(s.median(), decimals) }

func (s sample) textAround(middle float64, decimals int) string {
	if len(s) == 0 {
		return "–"
	}
	format := func(v float64) string { return strconv.FormatFloat(v, 'f', decimals, 64) }
	least, greatest := format(slices.Min(s)), format(slices.Max(s))
	if least == greatest {
		return format(middle)
	}
	return fmt.Sprintf("%s (%s–%s)", format(middle), least, greatest)
}

// spread is text for a sample of many, whose extremes say little. In the brackets are the
// least and the greatest of ten medians, each of a tenth of the sample.
func (s sample) spread(decimals int) string {
	var tenths sample
	for part := range slices.Chunk(s, max(len(s)/10, 1)) {
		tenths = append(tenths, part.median())
	}
	return tenths.textAround(s.median(), decimals)
}

func (s sample) mean() float64 {
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(max(len(s), 1))
}

// micros are nanoseconds in microseconds.
func (s sample) micros() sample {
	var all sample
	for _, v := range s {
		all = append(all, v/1000)
	}
	return all
}

// less subtracts another sample, round by round, as over divides.
func (s sample) less(other sample) sample {
	var differences sample
	for i := range min(len(s), len(other)) {
		differences = append(differences, s[i]-other[i])
	}
	return differences
}

// over divides this sample by another, round by round, since other programs slow both
// samples of a round.
func (s sample) over(other sample) sample {
	var ratios sample
	for i := range min(len(s), len(other)) {
		ratios = append(ratios, s[i]/other[i])
	}
	return ratios
}
