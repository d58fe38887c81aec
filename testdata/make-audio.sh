#!/usr/bin/env bash
# Makes visit.mp3 and visit.wav from visit.txt.
# Needs the Debian packages espeak-ng, sox and lame.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# One WAV file per spoken line. Lines without a speaker (the notice at the
# top and the blank line) are not spoken.
n=0
parts=()
while IFS= read -r line; do
  case $line in
    "Doctor: "*)  voice=(-v en-us+m3 -p 40 -s 165) ;;
    "Patient: "*) voice=(-v en-gb+f2 -p 60 -s 170) ;;
    *) continue ;;
  esac
  n=$((n + 1))
  part=$tmp/$(printf '%03d' "$n").wav
  espeak-ng "${voice[@]}" -w "$part" -- "${line#*: }"
  parts+=("$part")
done < visit.txt

# -D: no dither, which is random, so that every run gives the same samples.
sox -D "${parts[@]}" -r 16000 -c 1 -b 16 "$tmp/visit.wav" gain -n -3
lame --quiet -m m --cbr -b 24 "$tmp/visit.wav" "$tmp/visit.mp3"
sox -D "$tmp/visit.wav" -r 8000 -b 8 -e unsigned-integer "$tmp/short.wav" trim 0 15

cp "$tmp/visit.mp3" visit.mp3
cp "$tmp/short.wav" visit.wav
