// What the browser keeps for this page. Storage may be switched off or full: then nothing is kept.

function kept(storage: () => Storage, name: string) {
  const key = `evalx.${name}`;
  return {
    get(): string | null {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    set(value: string | null): void {
      try {
        if (value === null) storage().removeItem(key);
        else storage().setItem(key, value);
      } catch {
        // Not kept, then.
      }
    },
  };
}

export const theme = kept(() => localStorage, "theme");
export const draft = kept(() => localStorage, "draft");
/** For this tab only: a token is a secret. */
export const token = kept(() => sessionStorage, "token");
