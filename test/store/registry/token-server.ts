import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Http, openHttp } from "../../../store/registry/http.ts";
import { type Retrying, retryPolicy } from "../../../store/registry/retry.ts";
import { defaultRegistrySettings, type RegistrySettings } from "../../../store/registry/settings.ts";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Of a POST. */
  readonly form: URLSearchParams;
}

export interface ServerAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface TestServer extends AsyncDisposable {
  readonly host: string;
  readonly origin: string;
  readonly requests: SeenRequest[];
}

/** A server of 127.0.0.1 that answers as the test says and keeps what it was asked. */
export async function startServer(answer: (request: SeenRequest) => ServerAnswer | Promise<ServerAnswer>): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      let body = "";
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
      const url = new URL(request.url ?? "", "http://test");
      const { authorization } = request.headers;
      const seen = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        authorization,
        form: new URLSearchParams(body),
      };
      requests.push(seen);
      const { status, headers, body: text } = await answer(seen);
      response.writeHead(status, headers).end(text);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    origin: `http://${host}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface TestTransport extends AsyncDisposable {
  readonly http: Http;
  readonly retry: Retrying;
  readonly settings: RegistrySettings;
}

/** Real connections, and a policy that does not wait. */
export function openTransport(attempts = 3, changes: Partial<RegistrySettings> = {}): TestTransport {
  const settings = { ...defaultRegistrySettings, ...changes };
  const http = openHttp({ settings });
  const retry = retryPolicy({ attempts, deadlineMs: 60_000 }, { random: () => 0, now: () => 0, sleep: async () => undefined });
  return { http, retry, settings, [Symbol.asyncDispose]: () => http.close() };
}

export function tokenAnswer(body: object): ServerAnswer {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
