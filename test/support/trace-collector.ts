import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string; readonly intValue?: number };
  }[];
  readonly status: { readonly code: number; readonly message?: string };
}

/** Takes OTLP/HTTP in JSON and remembers it. */
export class TraceCollector {
  readonly spans: CollectedSpan[] = [];
  readonly resources: Record<string, string>[] = [];
  readonly headers: http.IncomingHttpHeaders[] = [];
  private readonly server = http.createServer((request, response) => void this.take(request, response));

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  named(name: string): CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    this.headers.push(request.headers);
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      const attributes = (resource as CollectedSpan).attributes;
      this.resources.push(Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? ''])));
      for (const { spans } of scopeSpans) this.spans.push(...spans);
    }
    response.end('{}');
  }
}
