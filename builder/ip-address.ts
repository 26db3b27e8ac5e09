/** Whether a text is an IP address of either version. By the URL parser, which is there anyway: node:net takes milliseconds to load, in every build. */
export function isIpAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split(".").every((part) => Number(part) <= 255);
  return /^[\da-f.]*:[\da-f.:]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}
