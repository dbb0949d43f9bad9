/**
 * The page: the bar at the top, the view that the address names, and what all views share.
 */
import { render } from "preact"
import "./page.css"
import { Page } from "./Page.js"

const root = document.getElementById("page")
if (root !== null) render(<Page />, root)
