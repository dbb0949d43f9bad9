/**
 * Ports for servers that a test starts.
 */
import { once } from "node:events"
import { createServer } from "node:net"

/** A port of the loopback interface on which nothing listens. */
export const freePort = async (): Promise<number> => {
  const probe = createServer().listen(0, "127.0.0.1")
  await once(probe, "listening")
  const address = probe.address()
  probe.close()
  await once(probe, "close")
  if (address === null || typeof address === "string") throw new Error("no port")
  return address.port
}
