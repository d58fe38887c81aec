// Where a recording may end. A browser cuts its slices anywhere, also within a block of audio. A recording that was
// killed ends with its last slice, and some decoders refuse half a block. So slices are cut again, where a block ends.

const longestBlock = 64 << 10; // bytes: what is longer is no block, and is not held back

// wholeBlocks returns how many bytes of a slice are whole blocks, if the slice begins with a block. Where it cannot tell,
// that is all of them.
export function wholeBlocks(bytes, type) {
  const view = new DataView(bytes);
  const next = type.startsWith('audio/mp4') ? nextBox : nextElement;
  let at = 0;
  for (let end = 0; end <= view.byteLength; end = next(view, at)) {
    at = end;
    if (at === view.byteLength) return at;
  }
  return view.byteLength - at < longestBlock ? at : view.byteLength;
}

// The elements of WebM (RFC 8794 and 9559) that are entered: what is in them counts, not their length, which a browser
// does not know while it records.
const segment = 0x18538067;
const cluster = 0x1f43b675;

// nextElement returns the end of the WebM element at a place: beyond the view if the element is not whole.
function nextElement(view, at) {
  const id = variable(view, at, true);
  const size = id && variable(view, id.end, false);
  if (!size) return Infinity;
  return [segment, cluster].includes(id.value) ? size.end : size.end + size.value;
}

// variable reads a number of variable length, whose first byte says how long it is. An id keeps that mark.
function variable(view, at, keepMark) {
  if (at >= view.byteLength) return null;
  const first = view.getUint8(at);
  const length = Math.clz32(first) - 23; // 1 for 0x80 and above, 8 for 0x01
  if (length > 8 || at + length > view.byteLength) return null;
  let value = keepMark ? first : first & ((0x80 >> (length - 1)) - 1);
  for (let i = 1; i < length; i++) value = value * 256 + view.getUint8(at + i);
  return { value, end: at + length };
}

// nextBox returns the end of the MP4 box at a place (ISO/IEC 14496-12): beyond the view if the box is not whole.
function nextBox(view, at) {
  if (at + 8 > view.byteLength) return Infinity;
  const size = view.getUint32(at);
  if (size === 1) return at + 16 <= view.byteLength ? at + Number(view.getBigUint64(at + 8)) : Infinity;
  return size >= 8 ? at + size : Infinity;
}
