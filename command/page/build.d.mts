/** Writes `page.js`, `page.css`, `index.html` and `icon.svg` to the directory. */
export declare const build: (directory: string) => Promise<void>
