//! `#[derive(Action)]`: what a struct declares of itself, and the two implementations.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Generics, LitStr, Path, Result, Token,
    Type, parse_quote_spanned, parse2,
};

pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = parse2(item)?;
    let (container, fields) = read(&input)?;
    Ok(write(&input, &container, &fields))
}

// What the struct says.

/// `#[action(…)]` on the struct, with its defaults.
struct Container {
    kind: LitStr,
    domain: Ident,
    reversibility: Ident,
    effects: Option<Path>,
}

/// The fields of the struct: the target, and the facts sorted by name.
struct Described {
    target: (Ident, Type),
    facts: Vec<FactField>,
}

struct FactField {
    name: LitStr,
    field: Ident,
    type_: Type,
}

/// The values that a name in the attribute may have, and the variants that they stand for.
type Table = &'static [(&'static str, &'static str)];

const DOMAINS: Table = &[
    ("application", "Application"),
    ("infrastructure", "Infrastructure"),
    ("data", "Data"),
    ("workload", "Workload"),
];

const REVERSIBILITIES: Table = &[
    ("reversible", "Reversible"),
    ("compensable", "Compensable"),
    ("irreversible", "Irreversible"),
];

const ON_STRUCT: &str = "a struct accepts `kind = \"…\"`, `domain = \"…\"`, \
                         `reversibility = \"…\"` and `effects = path`";

const ON_FIELD: &str = "a field accepts `target` and `rename = \"…\"`";

/// The longest name of a kind or a fact, as `ActionSpec` has it.
const MAX_IDENTIFIER_BYTES: usize = 64;

fn read(input: &DeriveInput) -> Result<(Container, Described)> {
    let expected = "`#[derive(Action)]` stands on a struct with named fields";
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields,
            Fields::Unnamed(fields) => return Err(Error::new_spanned(fields, expected)),
            Fields::Unit => return Err(Error::new(input.ident.span(), expected)),
        },
        Data::Enum(data) => return Err(Error::new(data.enum_token.span, expected)),
        Data::Union(data) => return Err(Error::new(data.union_token.span, expected)),
    };
    Ok((read_container(input)?, read_fields(&input.ident, fields.named.iter())?))
}

fn read_container(input: &DeriveInput) -> Result<Container> {
    let (mut kind, mut domain, mut reversibility, mut effects) = (None, None, None, None);
    for_each_argument(&input.attrs, |key, value| match key.to_string().as_str() {
        "kind" => set(&mut kind, key, value.literal(), ON_STRUCT),
        "domain" => set(&mut domain, key, value.one_of(DOMAINS), ON_STRUCT),
        "reversibility" => set(&mut reversibility, key, value.one_of(REVERSIBILITIES), ON_STRUCT),
        "effects" => set(&mut effects, key, value.path(), ON_STRUCT),
        _ => Err(unknown(key, ON_STRUCT)),
    })?;
    let name = || LitStr::new(&input.ident.unraw().to_string(), input.ident.span());
    let kind = identifier(kind.unwrap_or_else(name), "kind = \"…\"")?;
    let domain = domain.ok_or_else(|| {
        let missing = format!("no `#[action(domain = \"…\")]`; it is one of {}", listed(DOMAINS));
        Error::new(input.ident.span(), missing)
    })?;
    let irreversible = || format_ident!("Irreversible");
    let reversibility = reversibility.unwrap_or_else(irreversible);
    Ok(Container { kind, domain, reversibility, effects })
}

fn read_fields<'a>(owner: &Ident, fields: impl Iterator<Item = &'a Field>) -> Result<Described> {
    let mut target = None;
    let mut facts: Vec<FactField> = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let (mut is_target, mut rename) = (None, None);
        for_each_argument(&field.attrs, |key, value| match key.to_string().as_str() {
            "target" => set(&mut is_target, key, value.none().map(|()| key.span()), ON_FIELD),
            "rename" => set(&mut rename, key, value.literal(), ON_FIELD),
            _ => Err(unknown(key, ON_FIELD)),
        })?;
        let Some(at) = is_target else {
            let name = || LitStr::new(&ident.unraw().to_string(), ident.span());
            let name = identifier(rename.unwrap_or_else(name), "rename = \"…\"")?;
            let (field, type_) = (ident.clone(), field.ty.clone());
            facts.push(FactField { name, field, type_ });
            continue;
        };
        if let Some(rename) = rename {
            return Err(Error::new(rename.span(), "the target is no fact and has no name"));
        }
        if target.is_some() {
            return Err(Error::new(at, "a second target; an action has one"));
        }
        target = Some((ident.clone(), field.ty.clone()));
    }
    let target = target.ok_or_else(|| {
        let missing = "no field has `#[action(target)]`: what the action acts on";
        Error::new(owner.span(), missing)
    })?;
    // The sort is stable: of two facts with one name, the later in the struct is the one to report.
    facts.sort_by_key(|fact| fact.name.value());
    for pair in facts.windows(2) {
        if let [first, second] = pair
            && first.name.value() == second.name.value()
        {
            let repeated =
                format!("a second fact `{}`; each has a name of its own", second.name.value());
            return Err(Error::new(second.name.span(), repeated));
        }
    }
    Ok(Described { target, facts })
}

/// What stands after the name of an argument; reading it moves on in the attribute.
struct Value<'a> {
    key: &'a Ident,
    input: ParseStream<'a>,
}

impl Value<'_> {
    fn none(&self) -> Result<()> {
        if self.input.is_empty() || self.input.peek(Token![,]) {
            return Ok(());
        }
        Err(Error::new(self.key.span(), format!("`{}` takes no value; {ON_FIELD}", self.key)))
    }

    fn literal(&self) -> Result<LitStr> {
        self.equals()?;
        self.input.parse()
    }

    fn path(&self) -> Result<Path> {
        self.equals()?;
        self.input.parse()
    }

    fn one_of(&self, table: Table) -> Result<Ident> {
        let literal = self.literal()?;
        let value = literal.value();
        let known = table.iter().find(|(name, _)| *name == value);
        let (_, variant) = known.ok_or_else(|| {
            let unknown = format!("unknown value `{value}`; it is one of {}", listed(table));
            Error::new(literal.span(), unknown)
        })?;
        Ok(format_ident!("{variant}"))
    }

    fn equals(&self) -> Result<()> {
        if !self.input.peek(Token![=]) {
            let missing = format!("`{0}` needs a value: `{0} = …`", self.key);
            return Err(Error::new(self.key.span(), missing));
        }
        self.input.parse::<Token![=]>().map(drop)
    }
}

/// Calls `each` for every argument of every `#[action(…)]` in `attributes`.
fn for_each_argument(
    attributes: &[Attribute],
    mut each: impl FnMut(&Ident, Value<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("action")) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                let key = input.call(Ident::parse_any)?;
                each(&key, Value { key: &key, input })?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn set<T>(slot: &mut Option<T>, key: &Ident, value: Result<T>, accepted: &str) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(key.span(), format!("repeated argument `{key}`; {accepted}")));
    }
    *slot = Some(value?);
    Ok(())
}

fn unknown(key: &Ident, accepted: &str) -> Error {
    Error::new(key.span(), format!("unknown argument `{key}`; {accepted}"))
}

fn listed(table: Table) -> String {
    let names: Vec<String> = table.iter().map(|(name, _)| format!("`{name}`")).collect();
    names.join(", ")
}

/// Returns `name` if Cedar takes it as an attribute and as the id of an action.
fn identifier(name: LitStr, remedy: &str) -> Result<LitStr> {
    let text = name.value();
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if starts && text.bytes().all(plain) && text.len() <= MAX_IDENTIFIER_BYTES {
        return Ok(name);
    }
    let refused = format!(
        "`{text}` is not a letter followed by at most {} ASCII letters, digits and `_`; name it with `#[action({remedy})]`",
        MAX_IDENTIFIER_BYTES - 1
    );
    Err(Error::new(name.span(), refused))
}

// What is made of it.

fn write(input: &DeriveInput, container: &Container, fields: &Described) -> TokenStream {
    let ours = Span::mixed_site();
    let Container { kind, domain, reversibility, effects } = container;
    let ident = &input.ident;
    let generics = bounded(ident, &input.generics, fields);
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();

    let (target, target_type) = &fields.target;
    let target = quote_spanned! {ours.located_at(target_type.span())=>
        <#target_type as ::core::convert::AsRef<::core::primitive::str>>::as_ref(&self.#target)
    };
    let specs = fields.facts.iter().map(|FactField { name, type_, .. }| {
        quote_spanned! {ours.located_at(type_.span())=>
            (#name, <#type_ as ::countersign::action::IntoFact>::TYPE)
        }
    });
    let values = fields.facts.iter().map(|FactField { name, field, type_ }| {
        quote_spanned! {ours.located_at(type_.span())=>
            (#name, <#type_ as ::countersign::action::IntoFact>::value(&self.#field))
        }
    });
    let facts = fields.facts.iter().map(|FactField { name, field, type_ }| {
        quote_spanned! {ours.located_at(type_.span())=>
            (#name, <#type_ as ::countersign::action::IntoFact>::fact(&self.#field))
        }
    });
    let further = effects.as_ref().map(|path| {
        quote_spanned! {ours.located_at(path.span())=>
            let further: fn(
                &Self,
                &::countersign::action::EffectContext<'_>,
                &mut ::countersign::action::Effects,
            ) = #path;
            further(self, context, effects);
        }
    });
    let spec = quote_spanned!(ours=> <Self as ::countersign::action::HostAction>::SPEC);

    quote_spanned! {ours=>
        #[automatically_derived]
        impl #impl_generics ::countersign::action::HostAction for #ident #type_generics #where_clause {
            const SPEC: ::countersign::action::ActionSpec = ::countersign::action::ActionSpec {
                kind: #kind,
                domain: ::countersign::action::Domain::#domain,
                reversibility: ::countersign::action::Reversibility::#reversibility,
                facts: &[#(#specs),*],
            };
        }

        #[automatically_derived]
        impl #impl_generics ::countersign::action::Action for #ident #type_generics #where_clause {
            fn kind(&self) -> ::countersign::guard::expansion::Cow<'static, ::core::primitive::str> {
                ::core::convert::From::from(#spec.kind)
            }

            fn describe(&self) -> ::countersign::value::Value {
                #spec.describe(#target, ::core::convert::From::from([#(#values),*]))
            }

            fn effects(
                &self,
                context: &::countersign::action::EffectContext<'_>,
                effects: &mut ::countersign::action::Effects,
            ) {
                #spec.push_effect(
                    context,
                    #target,
                    ::core::convert::From::from([#(#facts),*]),
                    effects,
                );
                #further
            }
        }
    }
}

/// Adds to the `where` clause what the implementations need of the type parameters.
///
/// The bounds are on the types of fields, and only of fields that name a parameter: what is wrong
/// with another type is better reported where it stands.
fn bounded(owner: &Ident, generics: &Generics, fields: &Described) -> Generics {
    let mut bounded = generics.clone();
    let (_, type_generics, _) = generics.split_for_impl();
    let parameters: Vec<&Ident> =
        generics.type_params().map(|parameter| &parameter.ident).collect();
    if parameters.is_empty() {
        return bounded;
    }
    let predicates = &mut bounded.make_where_clause().predicates;
    let ours = |type_: &Type| Span::mixed_site().located_at(type_.span());
    let (_, target) = &fields.target;
    if names_one_of(target, &parameters) {
        predicates.push(parse_quote_spanned! {ours(target)=>
            #target: ::core::convert::AsRef<::core::primitive::str>
        });
    }
    for FactField { type_, .. } in &fields.facts {
        if names_one_of(type_, &parameters) {
            predicates.push(parse_quote_spanned! {ours(type_)=>
                #type_: ::countersign::action::IntoFact
            });
        }
    }
    predicates.push(parse_quote_spanned! {owner.span()=>
        #owner #type_generics: ::core::marker::Send
    });
    bounded
}

fn names_one_of(type_: &Type, parameters: &[&Ident]) -> bool {
    struct Find<'a>(&'a [&'a Ident], bool);

    impl<'ast> Visit<'ast> for Find<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            let first = path.segments.first();
            self.1 |= first.is_some_and(|first| self.0.iter().any(|known| **known == first.ident));
            visit::visit_path(self, path);
        }
    }

    let mut find = Find(parameters, false);
    find.visit_type(type_);
    find.1
}
