// The calls of the server. They go to the page's own origin and nowhere else.

// An answer other than success: the status, and a fixed word that says why.
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.error ?? `status ${status}`);
    this.status = status;
    this.word = answer.error ?? '';
    this.answer = answer;
  }

  // ofProxy is true where a proxy says that it cannot reach the server.
  get ofProxy() { return this.status >= 500 && this.word === ''; }

  // later is true where the same request may succeed if it is sent again.
  get later() {
    return this.status >= 500 || [408, 425, 429].includes(this.status) || this.word === 'digest';
  }
}

// No answer at all.
export class Unreachable extends Error {}

const timeout = 60_000; // milliseconds: one chunk over a slow line

let csrf = '';

async function call(method, path, { json, body, headers = {} } = {}) {
  if (json !== undefined) {
    body = JSON.stringify(json);
    headers = { ...headers, 'Content-Type': 'application/json' };
  }
  let response;
  let text;
  const late = new AbortController(); // AbortSignal.timeout would live on after the answer
  const timer = setTimeout(() => late.abort(), timeout);
  try {
    response = await fetch(path, {
      method, body, headers: { ...headers, 'X-CSRF-Token': csrf },
      cache: 'no-store', redirect: 'error', signal: late.signal,
    });
    text = await response.text();
  } catch {
    throw new Unreachable('the server cannot be reached');
  } finally {
    clearTimeout(timer);
  }
  const answer = parse(text);
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

// parse reads JSON. A proxy's page of HTML has none.
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

async function remember(session) {
  csrf = (await session).csrf;
  return session;
}

export const signIn = (user, password) => remember(call('POST', '/session', { json: { user, password } }));
export const session = () => remember(call('GET', '/session'));
export const signOut = () => call('DELETE', '/session');

export const createRecording = ({ id, code, type, started }) =>
  call('PUT', `/recordings/${id}`, { json: { code, type, started } });

export const putChunk = (id, n, { bytes, sha256 }) =>
  call('PUT', `/recordings/${id}/chunks/${n}`, {
    body: bytes,
    headers: { 'Content-Type': 'application/octet-stream', 'Content-Digest': `sha-256=:${base64(sha256)}:` },
  });

export const closeRecording = (id, chunks, interrupted) =>
  call('POST', `/recordings/${id}/close`, { json: { chunks, interrupted } });

export const result = (id) => call('GET', `/recordings/${id}/result`);
export const resolve = (id, decision) => call('POST', `/recordings/${id}/resolve`, { json: decision });

export async function sample() {
  const response = await fetch('/sample', { cache: 'no-store', redirect: 'error' });
  if (!response.ok) throw new Refused(response.status, {});
  return response.arrayBuffer();
}

function base64(hex) {
  return btoa(String.fromCharCode(...hex.match(/../g).map((pair) => parseInt(pair, 16))));
}
