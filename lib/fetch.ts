/** What we need of `fetch`; the global one fits. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The whole body of an answer; `null` when it has more than `maxBytes`, of which no more is read. */
export async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  if (Number(response.headers.get("content-length") ?? 0) > maxBytes) {
    await response.body?.cancel();
    return null;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) return null; // leaving the loop cancels the body
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
