import { classifyByServer, fetchAccess } from './api.ts'
import { byId } from './dom.ts'
import { Login } from './login.ts'
import { photographCard } from './photograph.ts'

/** The page of `herd serve`: classifies photographs that are dropped on it. */

const login = new Login('This server is not for everybody: give its token (HERD_TOKEN, or the file of --token-file).', () => (element.hidden = false))
const askToken = (): void => {
  element.hidden = true
  login.show()
}
const { element } = photographCard(classifyByServer, askToken)
byId('main').append(login.element, element)
// A server that cannot be reached now says so when a photograph is dropped.
fetchAccess().then((access) => access === 'token needed' && askToken(), () => undefined)
