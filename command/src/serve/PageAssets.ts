/**
 * The files of the page, as the build left them beside the command.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"
import { CommandError, exitCodes } from "../CommandError.js"

/** The directory that the build of the package fills. */
export const directory = fileURLToPath(new URL("../../dist/page/", import.meta.url))

const types = {
  "index.html": "text/html; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "page.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml"
} as const

type Name = keyof typeof types

const names = Object.keys(types) as ReadonlyArray<Name>

/** Answers with a file of the page. Every other path is a view of the page. */
export const handler = (from: string) =>
  Effect.map(
    Effect.try({
      try: () => new Map(names.map((name) => [name, readFileSync(`${from}/${name}`)])),
      catch: () =>
        new CommandError({
          message: "the files of the page are not there: build the package, npm run build",
          exitCode: exitCodes.trouble
        })
    }),
    (files) =>
      Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
        const { pathname } = new URL(url, "http://botanu")
        if (pathname.startsWith("/api/")) return HttpServerResponse.empty({ status: 404 })
        const name = names.find((name) => pathname === `/${name}`) ?? "index.html"
        return HttpServerResponse.uint8Array(files.get(name) ?? new Uint8Array(), {
          contentType: types[name],
          headers: { "cache-control": "no-cache" }
        })
      })
  )
