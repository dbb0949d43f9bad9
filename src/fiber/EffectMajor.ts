/**
 * Each entry point imports this first. Where another major of Effect is installed, nothing can be linked and no code runs: the
 * first import of a name that is missing ends the program, and its line is shown with the error. It is the line below.
 */
export { Either } from "effect" // botanu-effect needs Effect 3, and found another major. Run: npm install effect@3
