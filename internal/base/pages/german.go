package pages

// german translates all texts of the pages. Its keys are the list of these texts.
var german = map[string]string{
	"An error occurred":                    "Ein Fehler ist aufgetreten",
	"Error":                                "Fehler",
	"The request cannot be answered.":      "Die Anfrage kann nicht beantwortet werden.",
	"Back to the application":              "Zurück zur Anwendung",
	"Your code":                            "Ihr Code",
	"It works once, and for a short time.": "Er gilt einmal und nur für kurze Zeit.",
	"Copy this code into the application":  "Kopieren Sie diesen Code in die Anwendung",
	"Never give it to a person who asks you for it by mail or telephone.":                   "Geben Sie ihn niemandem, der Sie per E-Mail oder Telefon danach fragt.",
	"Close this page and go back to the application. If it happens again, tell its makers:": "Schließen Sie diese Seite und kehren Sie zur Anwendung zurück. Wenn es wieder geschieht, melden Sie den Herstellern:",
	"Access was not given": "Der Zugriff wurde nicht erteilt",
	"The application was not given access. You can close this page.": "Die Anwendung hat keinen Zugriff erhalten. Sie können diese Seite schließen.",
	"Continue":                     "Weiter",
	"Returning to the application": "Zurück zur Anwendung",
	"If this page does not go on by itself, press the button.": "Wenn es nicht von selbst weitergeht, drücken Sie die Taste.",

	"Allow access":                        "Zugriff erlauben",
	"No thanks":                           "Nein, danke",
	"is requesting permission to access:": "bittet um Zugriff auf:",
	"allowed before":                      "bereits erlaubt",
	"Signed in as":                        "Angemeldet als",
	"Not you?":                            "Nicht Sie?",
	"You will return to":                  "Danach geht es weiter zu",
	"It will be used at:":                 "Verwendet wird es bei:",
	"Privacy policy":                      "Datenschutz",
	"Terms":                               "Nutzungsbedingungen",

	"This sign-in is over. Go back to the application and begin again.":                                          "Diese Anmeldung ist beendet. Kehren Sie zur Anwendung zurück und beginnen Sie neu.",
	"This sign-in took too long. Go back to the application and begin again.":                                    "Diese Anmeldung hat zu lange gedauert. Kehren Sie zur Anwendung zurück und beginnen Sie neu.",
	"This sign-in was begun elsewhere. Go back to the application and begin again.":                              "Diese Anmeldung wurde an anderer Stelle begonnen. Kehren Sie zur Anwendung zurück und beginnen Sie neu.",
	"Your browser sent no cookie. Allow cookies for this site, then go back to the application and begin again.": "Ihr Browser hat kein Cookie gesendet. Erlauben Sie Cookies für diese Seite, kehren Sie dann zur Anwendung zurück und beginnen Sie neu.",
	"This page was answered already. Go back to the application and begin again.":                                "Diese Seite wurde bereits beantwortet. Kehren Sie zur Anwendung zurück und beginnen Sie neu.",
	"This form was not made for this browser and user. Go back and try again.":                                   "Dieses Formular gehört nicht zu diesem Browser und Benutzer. Gehen Sie zurück und versuchen Sie es noch einmal.",
}
