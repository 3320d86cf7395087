
// Requests to the gateway. Its address is that of this page, without `/v1` and slashes at the end.
const BASE = location.origin + location.pathname.replace(/(\/|\/v1\/*)$/, "").replace(/\/+$/, "");

class Refused extends Error {
  constructor(status, error, id, wait) {
    super(error.message || `status ${status}`);
    Object.assign(this, { status, code: error.code || null, id, wait });
  }
}

async function request(path, options = {}) {
  const headers = { ...options.headers };
  if (apiKey) headers.authorization = `Bearer ${apiKey}`;
  const response = await fetch(BASE + path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (response.ok) return response;
  let error = {};
  try {
    error = (await response.json()).error || {};
  } catch { /* something between the page and the gateway answered */ }
  throw new Refused(response.status, error, response.headers.get("x-request-id"), response.headers.get("retry-after"));
}

// The data of each event of a stream, decoded. It throws if the stream says an error, or ends before `[DONE]`.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const id = response.headers.get("x-request-id");
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + piece.value).split(/\r?\n/);
    rest = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new Refused(response.status, event.error, id, null);
      yield event;
    }
  }
  throw new Refused(response.status, { message: "the stream ended before the answer was complete" }, id, null);
}
