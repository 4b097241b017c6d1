/** A JSON value in Web Storage that components can follow. Storage may be off (private windows): then memory serves. */

export class Stored<T> {
  private readonly listeners = new Set<() => void>();
  private value: T | null;

  constructor(
    private readonly area: () => Storage,
    private readonly key: string,
  ) {
    this.value = this.read();
  }

  readonly get = (): T | null => this.value;

  set(value: T | null): void {
    this.value = value;
    try {
      if (value === null) this.area().removeItem(this.key);
      else this.area().setItem(this.key, JSON.stringify(value));
    } catch (error) {
      // SecurityError or QuotaExceededError: the value lives as long as the page.
      if (!(error instanceof DOMException)) throw error;
    }
    for (const listener of [...this.listeners]) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const onStorage = (event: StorageEvent): void => {
      if (event.key !== this.key) return;
      this.value = this.read();
      listener();
    };
    this.listeners.add(listener);
    window.addEventListener("storage", onStorage);
    return () => {
      this.listeners.delete(listener);
      window.removeEventListener("storage", onStorage);
    };
  };

  private read(): T | null {
    try {
      const text = this.area().getItem(this.key);
      return text === null ? null : (JSON.parse(text) as T);
    } catch {
      // Storage is off or holds what an older version wrote: start afresh.
      return null;
    }
  }
}
