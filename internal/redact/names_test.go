package redact

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Words that tell who somebody is or what ails them. None may be in the
// vocabulary, not even written small: at the start of a sentence a capital says
// nothing.
const telling = `
james mary michael patricia robert jennifer john linda david elizabeth william barbara richard susan joseph jessica
thomas karen christopher sarah charles lisa daniel nancy matthew sandra anthony betty mark ashley donald emily steven
kimberly andrew margaret paul donna joshua michelle kenneth carol kevin amanda brian melissa timothy deborah ronald
stephanie george rebecca jason sharon edward laura jeffrey cynthia ryan dorothy jacob amy nicholas kathleen gary angela
eric shirley jonathan emma stephen brenda larry pamela justin nicole scott anna brandon samantha benjamin katherine
samuel christine gregory debra alexander rachel patrick carolyn frank janet raymond maria jack olivia dennis heather
jerry helen tyler catherine aaron diane jose julie adam victoria nathan joyce henry lauren zachary kelly douglas
christina peter ruth kyle joan noah virginia ethan judith jeremy evelyn christian hannah walter andrea keith megan
austin cheryl roger jacqueline terry madison sean teresa gerald abigail carl sophia dylan martha harold sara jordan
gloria jesse janice bryan kathryn lawrence ann arthur isabella gabriel judy bruce charlotte logan julia billy grace joe
amber alan alice juan jean elijah denise willie frances albert danielle wayne marilyn randy natalie mason beverly vincent
diana liam brittany roy theresa bobby kayla caleb alexis bradley doris russell lori lucas tiffany max rex guy dean gene
rob sue pat art ray dale glen cliff chip basil ward wade skip miles victor roman reed heath sage ivy iris dawn eve gail
holly hazel penny robin ruby sandy summer autumn violet willow angel destiny melody harmony brook crystal jasmine olive
pearl scarlet chance chase hunter cooper carter parker taylor walker archer tanner sawyer fisher baker drew will rose
bill rich hope faith joy april june august may melissa jane
smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson
thomas moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson young king wright
torres nguyen hill flores green adams nelson hall rivera campbell mitchell roberts carr long page doe black gray wood
stone bush price cook bell fox day love rice hart banks lane park west north south east
january february march april june july september october november december monday tuesday wednesday thursday friday
saturday sunday
male female man woman men women boy girl sex gender pregnant age born birth died dead death black white asian hispanic
mother father son daughter wife husband married divorced
pain ache cough fever cold flu rash nausea vomiting dizzy dizziness fatigue tired weak weakness bleeding swelling
stroke seizure cancer tumor tumour diabetes asthma anxiety depression hypertension infection fracture allergy angina
hiv aids covid hepatitis migraine insomnia dementia arthritis anemia obese obesity overdose suicide suicidal abuse
alcohol alcoholic smoker smoking drug drugs opioid addiction positive negative chronic acute benign malignant
aspirin ibuprofen insulin metformin warfarin lisinopril morphine oxycodone fentanyl prozac zoloft viagra methadone
head neck back chest heart lung lungs liver kidney stomach bowel brain breast skin bone blood urine leg arm foot feet
knee hip eye eyes ear ears nose mouth throat tooth teeth hand shoulder spine prostate uterus vagina penis testicle
mr mrs ms dr md doctor nurse
`

func TestVocabularyTellsNothingOfAPerson(t *testing.T) {
	for word := range strings.FieldsSeq(telling) {
		assert.False(t, vocabulary[word], word)
	}
}

// The forms in which names, dates and numbers stand in messages.
func TestNamesDatesAndNumbersAreMasked(t *testing.T) {
	for _, name := range []string{"Jane Doe", "JANE DOE", "jane doe", "Doe, Jane", "J. Doe", "O'Brien-Smith", "Иван Петров", "李小龙", "José Núñez", "Zoë", "Mark May", "Max"} {
		for _, format := range []string{
			"%s not found", "Patient %s not found", "note for %s failed", "No account for '%s'", "duplicate: %s", "patient_name=%s is invalid",
			`{"patient_name": "%s"}`, "value is not valid (%s)", "%s", "input:%s", "error\n%s",
		} {
			got := Text(fmt.Sprintf(format, name))
			for part := range strings.FieldsSeq(name) {
				part = strings.Trim(part, ",.")
				if len(part) > 1 {
					assert.NotContains(t, strings.ToLower(got), strings.ToLower(part), "%q of %q", part, format)
				}
			}
		}
	}
	for _, number := range []string{
		"1987-03-29", "1987-03-29T04:05:06Z", "03/29/1987", "3/29/87", "29.03.1987", "29 03 1987", "03 29 87", "19870329", "1987",
		"123-45-6789", "123 45 6789", "(555) 867 5309", "555-867-5309", "+15558675309", "MRN-00123456", "00123456", "A123456", "99.5F", "12,345",
	} {
		for _, format := range []string{"born %s", "date_of_service %s is invalid", "%s", "#%s", "at (%s)", "id=%s", "[%s]"} {
			got := Text(fmt.Sprintf(format, number))
			assert.NotContains(t, got, number, format)
			assert.NotRegexp(t, `\d{4}`, got, "%q in %q", number, format)
			assert.LessOrEqual(t, digits(got), 3, "%q in %q gives %q", number, format, got)
		}
	}
}

func digits(s string) (n int) {
	for _, r := range s {
		if '0' <= r && r <= '9' {
			n++
		}
	}
	return n
}
