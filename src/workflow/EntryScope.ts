/**
 * The scope of a durable run in one entry of its body. An activity that is at work is stopped by itself and leaves a result, which
 * says what it consumed; only then is the body interrupted, which waits for it.
 */
import type { FiberId } from "effect"
import { RunScope } from "../lifecycle/RunScope.js"

export class EntryScope extends RunScope {
  private activities = 0
  private interruptedBy: FiberId.FiberId | undefined = undefined

  override interrupt(by: FiberId.FiberId): void {
    if (this.activities === 0) super.interrupt(by)
    else this.interruptedBy = by
  }

  /** An activity is requested: the body is not interrupted before `activityEnded`. */
  activityBegan(): void {
    this.activities += 1
  }

  activityEnded(): void {
    this.activities -= 1
    if (this.activities === 0 && this.interruptedBy !== undefined) super.interrupt(this.interruptedBy)
  }
}
