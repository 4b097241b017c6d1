import { useEffect, useState } from "react";

import { Icon, type IconName } from "./icons";

interface Props {
  label: string;
  value: string;
  /** Hidden until revealed: keys, and URLs with a key inside. */
  secret?: boolean;
  testId?: string;
}

/** A value to copy into another program. */
export function CopyField({ label, value, secret = false, testId }: Props) {
  const [revealed, setRevealed] = useState(!secret);
  return (
    <div className="copy-field">
      <span className="label">{label}</span>
      <div className="copy-row">
        <code data-testid={testId} title={revealed ? value : undefined}>
          {revealed ? value : "•".repeat(24)}
        </code>
        {secret && (
          <button
            type="button"
            className="icon-button"
            aria-label={revealed ? `Hide ${label}` : `Show ${label}`}
            aria-pressed={revealed}
            onClick={() => setRevealed(!revealed)}
          >
            <Icon name={revealed ? "eyeOff" : "eye"} />
          </button>
        )}
        <CopyButton value={value} label={`Copy ${label}`} />
      </div>
    </div>
  );
}

interface CopyButtonProps {
  value: string;
  label: string;
  text?: string;
  icon?: IconName;
}

export function CopyButton({ value, label, text, icon = "copy" }: CopyButtonProps) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(value);
      setState("copied");
    } catch {
      // Refused by permission, or no secure context: select and copy by hand.
      setState("failed");
    }
  };
  return (
    <button
      type="button"
      className={text === undefined ? "icon-button" : "button quiet"}
      aria-label={label}
      onClick={() => void copy()}
    >
      <Icon name={state === "copied" ? "check" : icon} />
      {text !== undefined && <span>{state === "copied" ? "Link copied" : text}</span>}
      <span className="visually-hidden" role="status">
        {state === "copied" ? "Copied" : state === "failed" ? "Copying was refused by the browser" : ""}
      </span>
    </button>
  );
}
