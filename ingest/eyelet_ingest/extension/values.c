/*
** Values as SQLite compares them, and what follows from a condition for the days that may fulfil it.
**
** A condition is handed to a day as `column op ?`. That means the same there as in the host's statement only if what
** SQLite does to both sides before it compares them (their affinities) is the same. A parameter has no affinity, but
** what stood on the right in the host's statement may have one, which a virtual table is not told. So:
**
**   a column of numbers takes its affinity to the other side, whatever that is: the same in both;
**   a column of text, and a text: equal in both or in neither (a text beside a column of numbers is one that looks like
**   no number, and what looks like one on our side is not equal to it either way); greater or less may differ, so the
**   bound is moved to where it does not, and the host compares once more (see `below` in stream.c);
**   a column of text, and a number: depends on what is not known, so the condition is left to the host;
**   a column without affinity: only bytes are safe.
**
** Affinities: https://www.sqlite.org/datatype3.html#type_conversions_prior_to_comparison
*/
#include "eyelet.h"

static int rank_of(int type){
  switch( type ){
    case SQLITE_NULL: return 0;
    case SQLITE_INTEGER:
    case SQLITE_FLOAT: return 1;
    case SQLITE_TEXT: return 2;
    default: return 3;
  }
}

/* Exactly: a double holds no integer beyond 2^53 (or, of these, only some). */
static int compare_int_real(i64 i, double r){
  i64 whole;
  double back;
  if( r < -9223372036854775808.0 ) return 1;
  if( r >= 9223372036854775808.0 ) return -1;
  whole = (i64)r;
  if( i != whole ) return i < whole ? -1 : 1;
  back = (double)whole;
  return back < r ? -1 : back > r;
}

static int compare_numbers(sqlite3_value *a, sqlite3_value *b){
  int realA = sqlite3_value_type(a) == SQLITE_FLOAT, realB = sqlite3_value_type(b) == SQLITE_FLOAT;
  if( realA && realB ){
    double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
    return x < y ? -1 : x > y;
  }
  if( realB ) return compare_int_real(sqlite3_value_int64(a), sqlite3_value_double(b));
  if( realA ) return -compare_int_real(sqlite3_value_int64(b), sqlite3_value_double(a));
  {
    i64 x = sqlite3_value_int64(a), y = sqlite3_value_int64(b);
    return x < y ? -1 : x > y;
  }
}

/* As `order by` does with the collation BINARY: less than 0, 0 or more. */
int value_compare(sqlite3_value *a, sqlite3_value *b){
  int rankA = rank_of(sqlite3_value_type(a)), rankB = rank_of(sqlite3_value_type(b));
  const void *x, *y;
  int nX, nY, c;
  if( rankA != rankB ) return rankA - rankB;
  if( rankA == 0 ) return 0;
  if( rankA == 1 ) return compare_numbers(a, b);
  if( rankA == 2 ){
    x = sqlite3_value_text(a);
    y = sqlite3_value_text(b);
  }else{
    x = sqlite3_value_blob(a);
    y = sqlite3_value_blob(b);
  }
  nX = x ? sqlite3_value_bytes(a) : 0;
  nY = y ? sqlite3_value_bytes(b) : 0;
  c = nX && nY ? memcmp(x, y, (size_t)(nX < nY ? nX : nY)) : 0;
  return c ? c : nX - nY;
}

/* Whether a day may be asked this condition on a column of this affinity; the value is not NULL but for `is`. */
int value_pushable(char kind, char op, sqlite3_value *v){
  int type = sqlite3_value_type(v);
  int is_equality = op == '=' || op == 'S' || op == '!' || op == 'X' || op == 'I';
  if( op == 'l' || op == 'g' ) return type != SQLITE_NULL;   /* functions: they make a text of it, here as there */
  if( type == SQLITE_NULL ) return op == 'S' || op == 'X';
  if( kind == 'i' || kind == 'r' || kind == 'n' ) return 1;
  if( kind == 't' ) return type == SQLITE_TEXT || (type == SQLITE_BLOB && is_equality);
  return type == SQLITE_BLOB && is_equality;
}

static i64 clamped(double r){
  if( r <= -9223372036854775808.0 ) return (i64)0x8000000000000000LL;
  if( r >= 9223372036854775807.0 ) return 0x7fffffffffffffffLL;
  return (i64)r;
}

static int is_space(char c){ return c == ' ' || (c >= '\t' && c <= '\r'); }

static const char *skip_digits(const char *z, const char *end, int *n){
  while( z < end && *z >= '0' && *z <= '9' ) z++, (*n)++;
  return z;
}

/* Whether all of the text is one number, as it has to be to become one; *whole where it has neither point nor exponent. */
static int is_numeric(const char *z, int n, int *whole){
  const char *end = z + n;
  int digits = 0, exponent = 0;
  *whole = 1;
  while( z < end && is_space(*z) ) z++;
  while( end > z && is_space(end[-1]) ) end--;
  if( z < end && (*z == '-' || *z == '+') ) z++;
  z = skip_digits(z, end, &digits);
  if( z < end && *z == '.' ){
    *whole = 0;
    z = skip_digits(z + 1, end, &digits);
  }
  if( digits == 0 ) return 0;
  if( z < end && (*z == 'e' || *z == 'E') ){
    *whole = 0;
    z++;
    if( z < end && (*z == '-' || *z == '+') ) z++;
    z = skip_digits(z, end, &exponent);
    if( exponent == 0 ) return 0;
  }
  return z == end;
}

/*
** The number that a value is beside a column of numbers: SQLITE_INTEGER, SQLITE_FLOAT, or 0 for none.
** (sqlite3_value_numeric_type is not for copies of values, and would change what is a constant of the statement.)
*/
int value_number(sqlite3_value *v, i64 *integer, double *real){
  int type = sqlite3_value_type(v), whole;
  const char *text;
  if( type == SQLITE_TEXT ){
    text = (const char *)sqlite3_value_text(v);
    if( text == 0 || !is_numeric(text, sqlite3_value_bytes(v), &whole) ) return 0;
    *real = sqlite3_value_double(v);
    *integer = sqlite3_value_int64(v);
    return whole && *real > -9e18 && *real < 9e18 ? SQLITE_INTEGER : SQLITE_FLOAT;
  }
  if( type != SQLITE_INTEGER && type != SQLITE_FLOAT ) return 0;
  *integer = type == SQLITE_INTEGER ? sqlite3_value_int64(v) : 0;
  *real = sqlite3_value_double(v);
  return type;
}

/*
** Narrow the range by `id op v`, where v counts `unit` microseconds and may be off by `slack` of them. What is no
** number narrows nothing: texts and bytes are greater than every number, which the day itself knows.
*/
void range_narrow(Range *r, char op, sqlite3_value *v, double unit, i64 slack){
  i64 low, high;
  double real;
  int type = value_number(v, &low, &real);
  if( type == 0 ) return;
  high = low;
  if( type != SQLITE_INTEGER || unit != 1.0 ){
    low = clamped(real * unit - (double)slack - 1.0);
    high = clamped(real * unit + (double)slack + 1.0);
  }
  if( op == '=' || op == 'S' || op == '>' || op == '}' ){
    if( op == '>' && low == high && low < 0x7fffffffffffffffLL ) low++;
    if( low > r->low ) r->low = low;
  }
  if( op == '=' || op == 'S' || op == '<' || op == '{' ){
    if( op == '<' && low == high && high > (i64)0x8000000000000000LL ) high--;
    if( high < r->high ) r->high = high;
  }
}

/* How many bytes of the pattern of a LIKE stand for themselves, from its beginning; only of ASCII, which has one case. */
int prefix_of(const char *pattern, int n){
  int i;
  for(i = 0; i < n; i++){
    char c = pattern[i];
    if( c == 0 || c == '%' || c == '_' || (unsigned char)c >= 0x7f ) break;
  }
  return i;
}
