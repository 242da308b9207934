// A few lines of Engine API client, so that the greeting needs nothing installed.
import http from 'node:http';

/** @param address "unix:///path" or "tcp://host:port" */
export function connect(address) {
  const tcp = /^tcp:\/\/([^:]+):(\d+)$/.exec(address);
  if (!tcp && !address.startsWith('unix://'))
    throw new Error(`cannot use ${address}: give unix:///path or tcp://host:port`);
  const target = tcp ? { host: tcp[1], port: Number(tcp[2]) } : { socketPath: address.slice('unix://'.length) };

  async function call(method, path, { json, body = json && JSON.stringify(json), type = 'application/json' } = {}) {
    const { status, text } = await send({ ...target, method, path, type, body, timeoutMs: 60_000 });
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${messageIn(text)}`);
    return text;
  }
  return {
    /** @returns what serves there, or undefined when nothing does */
    async ping() {
      const answer = await send({ ...target, method: 'GET', path: '/_ping', timeoutMs: 5000 }).catch(() => undefined);
      return answer?.status === 200 ? (answer.headers.server ?? 'an engine') : undefined;
    },
    get: (path) => call('GET', path),
    post: (path, options) => call('POST', path, options),
    delete: (path) => call('DELETE', path),
  };
}

function send({ timeoutMs, type, body, ...options }) {
  const headers = { Host: 'docker', 'Content-Length': body ? Buffer.byteLength(body) : 0 };
  if (body) headers['Content-Type'] = type;
  return new Promise((resolve, reject) => {
    const request = http.request({ ...options, headers, timeout: timeoutMs }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, text: String(Buffer.concat(parts)) }),
      );
    });
    request.on('timeout', () => request.destroy(new Error(`${options.method} ${options.path}: no answer`)));
    request.on('error', reject);
    request.end(body);
  });
}

function messageIn(text) {
  try {
    return JSON.parse(text).message ?? text;
  } catch {
    return text.trim();
  }
}
