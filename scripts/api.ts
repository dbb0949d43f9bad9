/**
 * Writes the API reports: `npm run api`.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { apiReports } from "./ApiReport.js"
import { makeProgram, root } from "./PublicNames.js"

const reports = apiReports(makeProgram())
mkdirSync(join(root, "api"), { recursive: true })
for (const file of readdirSync(join(root, "api"))) if (file.endsWith(".api.md")) rmSync(join(root, "api", file))
for (const [path, text] of reports) writeFileSync(join(root, path), text)
