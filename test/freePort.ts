/**
 * Ports for servers that a test starts.
 */
import { once } from "node:events"
import { createServer } from "node:net"

/** Below the ports that systems give to outgoing connections and to servers on port 0: 32768 on Linux, 49152 elsewhere. */
const firstPort = 20_000
const ports = 12_000

const isFree = async (port: number): Promise<boolean> => {
  const probe = createServer()
  try {
    probe.listen(port, "127.0.0.1")
    await once(probe, "listening")
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

/**
 * A port of the loopback interface on which nothing listens. It stays free for a server that starts later, or again: only another
 * test that draws the same number takes it.
 */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < 100; tries++) {
    const port = firstPort + Math.floor(Math.random() * ports)
    if (await isFree(port)) return port
  }
  throw new Error(`no port is free among 100 of ${firstPort} to ${firstPort + ports}`)
}
