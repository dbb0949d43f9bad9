/**
 * What the models are asked.
 */
import type { Prompt } from "@effect/ai"
import type { Access, Payment, Question, Refund, Ticket } from "./Ticket.js"

/** Which articles of the knowledge base help with a question. */
export const articles = (ticket: Question): Prompt.RawInput =>
  prompt(
    `${house} Choose the articles that answer the question below, at most three, the best one first. ${shelf}`,
    letter(ticket)
  )

/** A reply to a question. */
export const draft = (ticket: Question): Prompt.RawInput =>
  prompt(`${house} Draft a reply to the question below. ${manners}`, letter(ticket))

/** Whether a reply can be sent as it is. */
export const tone = (reply: string): Prompt.RawInput =>
  prompt(`${house} Say whether the reply below keeps to this: ${manners}`, reply)

/** The notice that goes out with a refund. */
export const notice = (ticket: Refund, payments: ReadonlyArray<Payment>): Prompt.RawInput =>
  prompt(
    `${house} Word a notice of the refund below. ${manners}`,
    [letter(ticket), ...payments.map(({ reference, usd }) => `${reference}: ${usd} USD`)].join("\n")
  )

/** The mail with which a customer gets back in. */
export const recoveryMail = (ticket: Access): Prompt.RawInput =>
  prompt(`${house} Word the mail that goes with a recovery link, for the request below. ${manners}`, letter(ticket))

const prompt = (instructions: string, about: string): Prompt.RawInput => [
  { role: "system", content: instructions },
  { role: "user", content: about }
]

const letter = ({ body, org, subject }: Ticket): string => `From: ${org}\nSubject: ${subject}\n\n${body}`

const house = `You work at the support desk of a company that sells software to shops, publishers and railways. Its customers write
about invoices, mailings, reservations, sign-in and reports. They are busy, and many of them write in a language that is not their
own. You have their message, and nothing else: what you do not know you do not make up.`

const manners = `Write in the language of the customer, in plain words, at most eight sentences. Begin with the answer. Name each menu and
each button as it is called on the screen. Say what happens next, and when. Do not apologise more than once, promise nothing that
the desk cannot keep, ask for no password, and leave out prices, discounts and dates of releases.`

const shelf = `The articles: Invoices and receipts. Exports of all kinds. Webhooks and their signatures. Limits of the API. Locations
and branches. Taxes by country. Imports of contacts. Search, and how it is indexed. Themes. Bounces and sender domains. Printers.
Time zones. Single sign-on. Gift cards. Unsubscribing. Custom fields. Where data is kept. Segments. Dashboards. Menus and languages.
Character sets. Opening hours. Notifications.`
