// What this browser keeps of recordings until the server has them whole: IndexedDB, one database for all tabs.
//
//   recordings  id       {id, owner, code, type, started, ended, interrupted}
//   slices      [id, n]  {sha256}
//   audio       [id, n]  ArrayBuffer, since a Blob in IndexedDB is not safe in every browser
//
// A tab changes a recording only while it holds the recording's lock, see lockName.

export const lockName = (id) => `recording-${id}`;

// The slices that the device could not keep, by id and number. They live as long as the tab.
const overflow = new Map();

let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('clinic', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('recordings', { keyPath: 'id' });
      request.result.createObjectStore('slices');
      request.result.createObjectStore('audio');
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

// transact runs work in one transaction and resolves with its request's result once all of it is on disk.
async function transact(mode, work) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const t = db.transaction(['recordings', 'slices', 'audio'], mode, { durability: 'strict' });
    const request = work(t.objectStore('recordings'), t.objectStore('slices'), t.objectStore('audio'));
    t.oncomplete = () => resolve(request?.result);
    t.onabort = () => reject(t.error ?? new Error('the transaction was aborted'));
  });
}

// The keys of all slices of a recording.
const slicesOf = (id) => IDBKeyRange.bound([id, 0], [id, Infinity]);

export const recordings = () => transact('readonly', (r) => r.getAll());
export const add = ({ slices, ...row }) => transact('readwrite', (r) => { r.add(row); });
export const update = ({ slices, ...row }) => transact('readwrite', (r) => { r.put(row); });

// recording reads a row and counts its slices.
export async function recording(id) {
  const row = await transact('readonly', (r) => r.get(id));
  if (row) row.slices = await transact('readonly', (r, s) => s.count(slicesOf(id)));
  return row;
}

// addSlice keeps the next slice and counts it in the recording. It returns false if the device could not keep the
// slice, which is then in this tab's memory alone.
export async function addSlice(recording, bytes) {
  const n = recording.slices;
  const sha256 = hex(await crypto.subtle.digest('SHA-256', bytes));
  try {
    await transact('readwrite', (r, s, a) => {
      s.put({ sha256 }, [recording.id, n]);
      a.put(bytes, [recording.id, n]);
    });
    return true;
  } catch {
    overflow.set(`${recording.id}/${n}`, { bytes, sha256 });
    return false;
  } finally {
    recording.slices = n + 1;
  }
}

// slice reads one slice: never more than one is in memory.
export async function slice(id, n) {
  const spilled = overflow.get(`${id}/${n}`);
  if (spilled) return spilled;
  const [bytes, { sha256 }] = await Promise.all([
    transact('readonly', (r, s, a) => a.get([id, n])),
    transact('readonly', (r, s) => s.get([id, n])),
  ]);
  return { bytes, sha256 };
}

// whole puts the slices together. The browser keeps a Blob where it likes.
export async function whole({ id, slices, type }) {
  const parts = [];
  for (let n = 0; n < slices; n++) parts.push(new Blob([(await slice(id, n)).bytes]));
  return new Blob(parts, { type });
}

// sent frees the memory of a slice that only this tab had. What is on the device stays until remove.
export function sent(id, n) {
  const spilled = overflow.get(`${id}/${n}`);
  if (spilled) spilled.bytes = null;
}

// digests returns the SHA-256 of each slice, in order.
export async function digests({ id, slices }) {
  const [keys, rows] = await Promise.all([
    transact('readonly', (r, s) => s.getAllKeys(slicesOf(id))),
    transact('readonly', (r, s) => s.getAll(slicesOf(id))),
  ]);
  const byNumber = new Map(keys.map(([, n], i) => [n, rows[i].sha256]));
  return Array.from({ length: slices }, (_, n) => overflow.get(`${id}/${n}`)?.sha256 ?? byNumber.get(n));
}

// remove forgets a recording that the server has whole, or that holds nothing.
export async function remove(id) {
  await transact('readwrite', (r, s, a) => {
    r.delete(id);
    s.delete(slicesOf(id));
    a.delete(slicesOf(id));
  });
  for (const key of overflow.keys()) if (key.startsWith(`${id}/`)) overflow.delete(key);
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
