// SPDX-License-Identifier: MIT
//
// What changes something needs the token, which only those have who can read the server's terminal
// or its state directory: here is how to come by it.

export function NeedsToken(props: { what: string }) {
  return (
    <p class="needs-token">
      {props.what} needs the token of this server: open the link that <code>strobe serve</code>{" "}
      printed when it started. It ends in <code>#token=…</code>, and this tab remembers it. The
      token also stands in the file <code>token</code> of the state directory, by default{" "}
      <code>~/.local/state/strobe/token</code>.
    </p>
  );
}
