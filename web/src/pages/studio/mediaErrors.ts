/** What to do when the browser gives no camera, microphone or screen. Pure. */

export type CaptureSource = "camera" | "screen";

/** `name` of the DOMException that getUserMedia or getDisplayMedia rejected with. */
export function explainCapture(name: string, source: CaptureSource, secure: boolean): string {
  if (!secure) {
    return "Browsers give cameras and microphones only to secure pages. Open this page over https, or on the server's own machine over http://localhost.";
  }
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return source === "screen"
        ? "The screen wasn't shared. Press “Share screen” again and pick a window; on a Mac also allow the browser under System Settings › Privacy › Screen Recording."
        : "Camera and microphone are blocked for this page. Click the icon left of the address, allow both, then press “Try again”.";
    case "NotFoundError":
    case "DevicesNotFoundError":
      return "No camera or microphone was found. Plug one in and press “Try again”, choose “None” for what you don't need, or share your screen.";
    case "NotReadableError":
    case "AbortError":
      return "The camera or microphone is in use by another program. Close that program and press “Try again”.";
    case "OverconstrainedError":
      return "The chosen camera or microphone is gone. Pick another one from the list.";
    case "NotSupportedError":
    case "TypeError":
      return source === "screen"
        ? "This browser can't share a screen. On a phone use the camera; on a computer use a current Chrome, Edge, Firefox or Safari."
        : "Choose a camera or a microphone: there has to be at least one of them.";
    default:
      return `The browser couldn't start the ${source} (${name}).`;
  }
}
