"""Words that tell names of people from other capitalised words and other headers; all in lower case."""

from __future__ import annotations

# First names common in the United Kingdom that are no everyday words.
_GIVEN = """
    aaron abdul abigail adam ahmed aisha alan albert alexander alice ali amanda amelia amy andrea andrew angela
    anita ann anna anne anthony arthur barbara benjamin bernard beverley brenda brian bridget carol caroline
    catherine charles charlotte christina christine christopher claire clare colin craig cynthia daniel david
    deborah debra denise derek diana diane donald donna dorothy douglas duncan edward eileen elaine eleanor
    elizabeth ellen emily emma eric evelyn fatima fiona florence frances francis frederick gareth gary geoffrey
    george gerald gillian gordon graham hannah harold harry hazel heather helen henry howard hugh ian imran irene
    isabella jack jacob jacqueline james jane janet janice jason jean jeffrey jennifer jessica joan joanna joanne
    john jonathan joseph joshua joyce judith julia julie karen katherine kathleen kathryn keith kenneth kerry
    kevin laura lauren lawrence leonard lesley lewis linda lisa louise lucy lynn malcolm margaret maria marie
    marion marjorie martin mary matthew maureen megan michael michelle mohammad mohammed monica muhammad nancy
    natalie nathan neil nicholas nicola nigel norman oliver olivia oscar pamela patricia patrick paul paula
    pauline peter philip phillip priya rachel raymond rebecca richard robert roger ronald rosemary roy russell
    ruth ryan samantha samuel sandra sarah sharon sheila shirley simon sophie stanley stella stephanie stephen
    steven stuart susan sylvia teresa terence theresa thomas timothy tracey tracy trevor valerie vera veronica
    victoria vincent walter wendy william yasmin yvonne zoe
"""
# Words of clinics, codes and categories: what holds one of them is no name of a person.
_NO_NAMES = """
    abnormal access acid active activity acute adult adverse african agent all anti antibody any arab arm
    arthritis arthropathy asian assessment audit background bangladeshi baseline bilateral biologic biologics
    biosimilar blood bone british calcium caribbean care cell centre change chinese chronic city class clinic
    clinical code cohort column community connective cream current daily data date day days deceased department
    diagnosis discharged disease disorder doppler dose drug drugs early east effect elbow elderly english episode
    erosive ethnic ever event ex extract factor failure female fibromyalgia first flare folic follow foot former
    general global grade group gypsy hand hard health heart heavy high hip history home hospital house in inactive
    index indian infection infirmary infusion inhibitor injection insufficient interaction interval intolerance
    irish joint juvenile knee known lab label laboratory labs last left level light list long loss low lower lung
    lupus male management married measure medical medication mild missing mixed moderate month months multiple myeloid
    national negative neuropathic never new no none normal north not note notes obese occasional of off old on
    ongoing oral osteoarthritis other outcome outpatient pain pakistani palindromic part patient patients pen
    positive power prefer pre-filled prefilled present previous primary private problem protein psoriatic
    psoriasis pulmonary radiographic raw reaction reactive recorded reference refused register regular remission
    result results retired rheumatic rheumatoid rheumatology right roma royal say scale scan score second
    secondary sedimentation self seronegative seropositive serum service severe sheet shoulder side single site
    skin smoker smoking social sodium south spine stable start started stated status stop stopped strong study
    subcutaneous surgery suspected swab swollen symptom syndrome synovitis syringe table tablet tablets team
    tender test therapy tissue to tobacco total traveller treatment trial trust type ultrasound undifferentiated
    unit units university unknown unspecified upper user value vasculitis visit visits wales ward weak week weeks
    welsh west white widowed withdrawn wrist year years yes
"""
# Headers, without what parts their words, that say a name.
_NAME_HEADERS = """
    alias clinicianname consultantname doctorname familyname firstname forename forenames fullname givenname
    gpname initial initials knownas lastname maidenname middlename name names nextofkin nok patientname
    preferredname surname surnames title
"""
# People of a clinic; as a header they say a name if the cells do.
_STAFF = """
    author carer clinician consultant doctor dr gp nurse physician practitioner prescriber referrer registrar
    requester rheumatologist
"""
# What says, beside the word name in a header, that it is a person's.
_PERSONS = """
    birth christian contact family father first full given kin known last legal maiden middle mother partner
    patient person preferred previous pt relative second spouse staff user
"""
# What says in a header that its names are those of things.
_THINGS = """
    biologic biologics brand centre clinic condition country department diagnosis disease dmard drug drugs ethnic
    ethnicity hospital joint language location measure medication medicine medicines modality occupation
    organisation practice product reason religion site smoking specimen term test therapy treatment trust unit
    ward
"""

GIVEN_NAMES = "|".join(_GIVEN.split())
NO_NAMES = "|".join(_NO_NAMES.split())
NAME_HEADERS = frozenset(_NAME_HEADERS.split())
STAFF_WORDS = frozenset(_STAFF.split())
PERSON_WORDS = STAFF_WORDS | frozenset(_PERSONS.split())
THING_WORDS = frozenset(_THINGS.split())
