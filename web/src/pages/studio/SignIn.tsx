import { useState, type SyntheticEvent } from "react";

import { createAccount, createToken } from "../../api/client";
import { explain } from "../../api/problem";
import { signIn } from "../../app/session";
import { Mark } from "../../ui/icons";
import { ErrorNote } from "../../ui/ErrorNote";

/** Sign up or sign in: the same two fields. */
export function SignIn({ reason }: { reason: string }) {
  const [mode, setMode] = useState<"up" | "in">("up");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { token } = mode === "up" ? await createAccount(name, password) : await createToken(name, password);
      signIn({ name, token });
    } catch (failure) {
      setError(explain(failure));
      setBusy(false);
    }
  };

  return (
    <section className="page narrow">
      <div className="sign-in">
        <Mark />
        <h1>{mode === "up" ? "Create your account" : "Welcome back"}</h1>
        <p className="hint">{reason}</p>
        <form onSubmit={(event) => void submit(event)}>
          <label className="field">
            <span className="label">Name</span>
            <input
              data-testid="signup-name"
              autoComplete="username"
              required
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          </label>
          <label className="field">
            <span className="label">Password</span>
            <input
              data-testid="signup-password"
              type="password"
              autoComplete={mode === "up" ? "new-password" : "current-password"}
              required
              minLength={mode === "up" ? 8 : 1}
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
            {mode === "up" && <span className="hint">At least 8 characters.</span>}
          </label>
          {error !== null && <ErrorNote text={error} />}
          <button type="submit" className="button primary wide" data-testid="signup-submit" disabled={busy}>
            {mode === "up" ? "Sign up" : "Sign in"}
          </button>
        </form>
        <p className="hint">
          {mode === "up" ? "Already have an account?" : "New here?"}{" "}
          <button
            type="button"
            className="link"
            data-testid="signup-switch"
            onClick={() => {
              setMode(mode === "up" ? "in" : "up");
              setError(null);
            }}
          >
            {mode === "up" ? "Sign in" : "Create an account"}
          </button>
        </p>
      </div>
    </section>
  );
}
