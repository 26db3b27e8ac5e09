import type { buildConnector, Dispatcher, Pool } from "undici";

export type { Dispatcher };
/** What opens a pool's sockets. */
export type Connector = buildConnector.connector;

let loaded: Promise<typeof Pool> | undefined;

/** Undici's pools of HTTP/1.1 connections to one origin, loaded with the first request: this one file of it takes a third of the time that its index takes. */
export function loadPool(): Promise<typeof Pool> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<typeof Pool> {
  // @ts-expect-error undici describes the types of its index alone.
  const pool: { default: typeof Pool } = await import("undici/lib/dispatcher/pool.js");
  return pool.default;
}
